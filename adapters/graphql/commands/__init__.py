"""Mutations: every command that has a route, and files that commands take."""
