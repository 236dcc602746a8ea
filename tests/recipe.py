"""Renders the conda recipe as conda-build does, without conda, and checks what it says."""

import re
import tomllib
from pathlib import Path

import jinja2
import yaml

ROOT = Path(__file__).resolve().parent.parent


def render(text):
    """Renders with stand-ins for what conda-build offers; an unknown name is an error."""
    # A selector at the end of a line is a condition on the platform: on Linux, not Windows.
    lines = [line for line in text.splitlines() if not re.search(r"#\s*\[win\]\s*$", line)]
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined)
    return environment.from_string("\n".join(lines)).render(
        compiler=lambda language: f"{language}_linux-64",
        environ={},
    )


def main():
    cargo = tomllib.loads((ROOT / "Cargo.toml").read_text())
    package = cargo["workspace"]["package"]
    recipe = yaml.safe_load(render((ROOT / "conda_recipe/meta.yaml").read_text()))

    assert recipe["package"] == {"name": "mflow", "version": package["version"]}, recipe["package"]
    assert recipe["about"]["license"] == package["license"]
    assert recipe["about"]["summary"] == cargo["package"]["description"]
    for file in recipe["about"]["license_file"]:
        assert (ROOT / file).is_file(), file
    assert (ROOT / "conda_recipe" / recipe["source"]["path"] / "Cargo.toml").is_file()
    assert "win" not in str(recipe["build"])
    assert recipe["requirements"]["build"] == ["rust_linux-64", "c_linux-64", "cxx_linux-64", "make"]
    programs = [program["name"] for program in cargo["bin"]]
    missing = [name for name in programs if f"{name} --version" not in recipe["test"]["commands"]]
    assert not missing, missing
    print("conda_recipe renders, with the version of Cargo.toml")


if __name__ == "__main__":
    main()
