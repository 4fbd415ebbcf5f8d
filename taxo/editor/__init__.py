"""What an editor asks about a `.taxo` text; `server` speaks it to editors, the rest are plain functions."""
