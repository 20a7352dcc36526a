"""`python -m dialog` is `hred`: the one place where `dialog` calls `app`."""

from app.cli.main import main

if __name__ == "__main__":
    main()
