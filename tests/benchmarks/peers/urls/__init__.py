"""The addresses of each peer, which are those of our API."""
