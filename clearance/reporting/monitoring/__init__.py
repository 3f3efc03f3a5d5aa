"""What people read of the monitor: its page, its plan, a look and a look at two tables in words."""
