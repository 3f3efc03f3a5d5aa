"""Boosters of other libraries, read and checked by us before those libraries' own parsers see them."""
