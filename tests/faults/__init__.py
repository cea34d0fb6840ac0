"""What happens to a real server when something fails under it, on SQLite and on PostgreSQL.

Run by hand, because it takes a while: `uv run --dev pytest -n0 -m faults tests/faults`. Each test breaks one thing
while clients read and change, and adds a line to the table at the end of the run; docs/checks.md explains the columns.
"""
