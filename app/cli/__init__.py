"""The command `hred`: one file a subcommand, each importing what is heavy only when it runs."""
