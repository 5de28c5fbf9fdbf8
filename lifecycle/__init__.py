"""The work of resource hooks and dynamic providers: data migration, backup before deletion, logins, ownership."""
