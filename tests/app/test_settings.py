"""Where the app keeps its data, and what the environment changes about it."""

import subprocess
import sys
from pathlib import Path

import platformdirs
import pytest

from app.settings import Settings
from app.store import Store


def test_by_default_it_is_the_users_data_folder_and_this_machine_alone() -> None:
    folder = platformdirs.user_data_path("hred", appauthor=False)
    settings = Settings.from_environment({"HRED_DATA_FOLDER": "", "HRED_DATABASE_URL": ""})
    assert settings == Settings(folder, f"sqlite:///{folder}/sessions.db", "127.0.0.1", 7860)
    assert not folder.is_relative_to(Path.cwd())


def test_the_environment_names_another_folder_or_another_store(tmp_path: Path) -> None:
    settings = Settings.from_environment({"HRED_DATA_FOLDER": str(tmp_path / "data")})
    assert settings.data_folder == tmp_path / "data"
    assert settings.database_url == f"sqlite:///{tmp_path}/data/sessions.db"
    assert not settings.data_folder.exists()
    url = "postgresql+psycopg://user@host/database"
    assert Settings.from_environment({"HRED_DATABASE_URL": url}).database_url == url
    assert Settings.from_environment({"HRED_DATA_FOLDER": "~/data"}).data_folder == Path.home() / "data"


@pytest.mark.parametrize("name", ["with space", "100%", "a%41?b=c#d", "ünï", "a@b:c"])
def test_a_folder_of_any_name_holds_the_store(tmp_path: Path, name: str) -> None:
    settings = Settings.from_environment({"HRED_DATA_FOLDER": str(tmp_path / name)})
    Store.open(settings.database_url).close()
    assert (tmp_path / name / "sessions.db").is_file()


def test_settings_load_neither_sqlalchemy_nor_torch() -> None:
    program = "import sys, app.settings; sys.exit(bool({'sqlalchemy', 'torch', 'gradio'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
