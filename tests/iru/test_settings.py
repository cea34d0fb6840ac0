import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_env_example_lists_every_setting_and_no_other() -> None:
    source = "".join((ROOT / "iru" / name).read_text() for name in ("settings.py", "environment.py"))
    read = set(re.findall(r'\benv(?:iron)?\.\w+\(\s*"(\w+)"', source))
    listed = re.findall(r"^(?:# )?([A-Z][A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)

    assert len(read) > 15  # the expression above still finds them
    assert sorted(listed) == sorted(read)


def test_every_setting_of_the_example_has_its_reason() -> None:
    for paragraph in (ROOT / ".env.example").read_text().split("\n\n")[1:]:
        lines = paragraph.strip().splitlines()
        if re.match(r"(# )?[A-Z_]+=", lines[-1]):
            assert len(lines) > 1, lines[-1]
            assert lines[0].startswith("# ")
