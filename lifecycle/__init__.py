"""What resource hooks and dynamic providers do: migrate data, back up before a deletion, make logins work."""
