"""The static files of a site: the selection of files, their rules, and their content types."""
