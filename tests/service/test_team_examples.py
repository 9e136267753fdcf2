"""What `examples/team` says is what the service understands."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from songbird_widgets.service import quotas
from songbird_widgets.service.app import close_app
from songbird_widgets.service.settings import NAMES, TeamSettings
from songbird_widgets.service.team import make_team_app

TEAM = Path(__file__).parents[2] / "examples" / "team"
VARIABLES = {f"SONGBIRD_{name.upper()}" for name in (*NAMES, *quotas.NAMES)}


@pytest.fixture(scope="module")
def resources():
    return {one["kind"]: one for one in yaml.safe_load_all((TEAM / "kubernetes.yaml").read_text("utf-8"))}


@pytest.fixture(scope="module")
def compose():
    return yaml.safe_load((TEAM / "compose.yaml").read_text("utf-8"))["services"]


def understood(environment):
    """Check that a service takes such an environment; return what it makes of it."""
    assert {name for name in environment if name.startswith("SONGBIRD_")} <= VARIABLES
    return TeamSettings.of(
        {}, {name: re.sub(r"\$\{\w+:-([^}]*)}", r"\1", value) for name, value in environment.items()}
    )


def test_the_manifest_starts_what_listens_where_it_is_asked(resources):
    pod = resources["Deployment"]["spec"]["template"]
    (container,) = pod["spec"]["containers"]
    settings = understood({one["name"]: one.get("value", "x") for one in container["env"]})
    assert settings.storage.startswith("s3://")
    port = container["ports"][0]["containerPort"]
    arguments = container["args"]
    assert arguments[:2] == ["songbird-widgets", "serve"]
    assert f"0.0.0.0:{port}" in arguments
    assert {container[probe]["httpGet"]["port"] for probe in ("livenessProbe", "readinessProbe")} == {port}
    (secret,) = [one["secret"] for one in pod["spec"]["volumes"] if "secret" in one]
    (mount,) = [one for one in container["volumeMounts"] if one["name"] == "database-url"]
    file = arguments[arguments.index("--database-url-file") + 1]
    assert file == f"{mount['mountPath']}/{secret['items'][0]['path']}"
    service = resources["Service"]["spec"]
    assert service["selector"].items() <= pod["metadata"]["labels"].items()
    assert service["ports"][0]["targetPort"] == port


def test_the_ingress_passes_on_what_people_and_notebooks_need_and_not_the_metrics(resources, tmp_path):
    (rule,) = resources["Ingress"]["spec"]["rules"]
    passed = [one["path"] for one in rule["http"]["paths"]]
    app = make_team_app(TeamSettings(data_dir=tmp_path), tmp_path)
    try:
        app.add_observatory()
        rules = list(app.wildcard_router.rules)
    finally:
        close_app(app)
    patterns = [rule.matcher.regex.pattern for rule in rules]
    assert len(patterns) > 20
    inside = ("/health", "/ready", "/metrics", "/uploads", "/(?:organizations)?")
    for pattern in patterns:
        if not pattern.startswith(inside):
            assert pattern.startswith(tuple(passed)), pattern
    assert not [path for path in passed if path.startswith(("/metrics", "/ready"))]


def test_the_compose_file_starts_what_the_balancer_looks_for(compose):
    songbird = compose["songbird"]
    settings = understood(songbird["environment"])
    assert settings.database_url.startswith("postgresql://")
    assert settings.proxy_addresses
    assert set(songbird["depends_on"]) <= set(compose)
    balancer = (TEAM / "haproxy.cfg").read_text("utf-8")
    assert "songbird:8080" in balancer
    assert "0.0.0.0:8080" in (TEAM / "Dockerfile").read_text("utf-8")
    assert "option forwardfor" in balancer  # else the requests of all come from one address
    if shutil.which("haproxy"):
        command = ["haproxy", "-c", "-f", TEAM / "haproxy.cfg"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
