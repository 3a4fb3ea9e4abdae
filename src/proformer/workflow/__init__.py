"""Behind the rules: which files a configuration makes, from which, and what the report shows of them."""
