"""Builds of the services: dependencies, commands, images, and the check whether a build has to run again."""
