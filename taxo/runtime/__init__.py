"""The runtime: hooks, and the Step that every program is."""
