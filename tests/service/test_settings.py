"""What the service for a team is told, and what of that is refused."""

from __future__ import annotations

import pytest

from songbird_widgets.__main__ import main
from songbird_widgets.local.identity import LocalServiceError
from songbird_widgets.service.settings import TeamSettings

SECRET_URL = "postgresql://songbird:canarypassword@db/songbird"


def test_without_any_the_service_is_a_local_one(tmp_path):
    assert TeamSettings.of({"data_dir": tmp_path}, {"SONGBIRD_DATA_DIR": "x"}) is None


def test_options_go_before_the_environment(tmp_path):
    (tmp_path / "url").write_text(SECRET_URL + "\n")
    environment = {
        "SONGBIRD_DATABASE_URL_FILE": str(tmp_path / "url"),
        "SONGBIRD_STORAGE": "s3://one/x",
        "SONGBIRD_PUBLIC_URL": "https://songbird.example.com/",
        "SONGBIRD_BIND": "0.0.0.0:9000",
    }
    settings = TeamSettings.of({"storage": "s3://two/x", "data_dir": tmp_path}, environment)
    assert settings == TeamSettings(
        SECRET_URL, "s3://two/x", None, "https://songbird.example.com", ("0.0.0.0", 9000), tmp_path
    )
    assert "canary" not in repr(settings)


@pytest.mark.parametrize("url", [SECRET_URL, "postgresql://db/songbird?user=a&password=canarypassword"])
def test_a_password_among_the_arguments_is_refused(url, capsys):
    assert main(["serve", "--database-url", url]) == 1
    said = capsys.readouterr().err
    assert "SONGBIRD_DATABASE_URL" in said
    assert "canary" not in said


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"public_url": "songbird.example.com"}, "is no http:// or https:// address"),
        ({"public_url": "http://["}, "is no http:// or https:// address"),
        ({"storage_endpoint": "ftp://store"}, "is no http:// or https:// address"),
        ({"keep_days": "long", "bind": "127.0.0.1:8080"}, "no number of days"),
        ({"bind": "8080"}, "is no address and port"),
        ({"bind": "localhost:70000"}, "is no address and port"),
        ({"database_url_file": "/nowhere"}, "cannot be read"),
    ],
)
def test_what_is_wrong_is_said(options, said):
    with pytest.raises(LocalServiceError, match=said):
        TeamSettings.of(options, {})


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--database-url", "mysql://db/songbird"], "none that the service can use"),
        (["--storage", "ftp://store"], "no store that the service can use"),
        (["--storage", "s3://"], "no address of an object store"),
        (["--keep-days", "long"], "no number of days"),
        (["--bind", "127.0.0.1:0", "--port", "1"], "--bind"),
        (["--bind", "192.0.2.1:80"], "cannot listen on 192.0.2.1 port 80"),
    ],
)
def test_a_service_that_cannot_start_says_why(arguments, said, capsys, tmp_path):
    assert main(["serve", "--data-dir", str(tmp_path), *arguments]) != 0
    assert said in capsys.readouterr().err
