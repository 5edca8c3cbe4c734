"""What applications import; it never loads code of the service."""
