"""The api: speaks HTTP with applications, people and tools, and asks the supervisor."""
