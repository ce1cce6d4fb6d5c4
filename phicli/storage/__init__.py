"""SQLite files: opened, waited for, checked for their version, migrated, and set aside where they are damaged."""
