NO_PACKAGES = "the package index cannot be reached"
