"""The page: what people see in a browser. One file of views per page of it."""
