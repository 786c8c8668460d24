"""The API of the tests of GraphQL, for clients in processes of their own."""

from tests.graphql.conftest import client, runtime, settings, url

__all__ = ["client", "runtime", "settings", "url"]
