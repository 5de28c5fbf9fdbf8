"""Builds of the services: dependencies, commands, images, and whether a build has to run again."""
