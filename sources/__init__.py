"""What a run would deploy: the release that the checkouts build, or the one that the receipt names."""
