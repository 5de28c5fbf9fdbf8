"""The offline stand-in for the random plugin: RandomPassword."""
