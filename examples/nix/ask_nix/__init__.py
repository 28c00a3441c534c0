"""A small assistant for Nix: it understands a request in plain words, and does what was asked for."""
