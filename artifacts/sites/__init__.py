"""The static files of a site: which of them are deployed, their rules, and their content types."""
