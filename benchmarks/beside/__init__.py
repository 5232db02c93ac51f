"""Side by side: what parts of pfungst cost beside other packages that do the same work."""
