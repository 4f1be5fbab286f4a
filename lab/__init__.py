"""What practises, measures and proves: a simulated RescueGroups, benches, soaks, the demo."""
