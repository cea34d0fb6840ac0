"""A cluster of three PostgreSQL nodes that loses some of them while clients read and change.

Run by hand: `uv run --dev --group cluster pytest -n0 -m cluster tests/cluster`. It starts three etcd, three Patroni
with their PostgreSQL, HAProxy, two servers and a worker on this machine. docs/checks.md explains the figures.
"""
