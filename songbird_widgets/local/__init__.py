"""The one local service of a user: its identity, how it is found, started and stopped; and which front end this is."""
