"""The offline random plugin: RandomPassword."""
