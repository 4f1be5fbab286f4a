"""The table topics: the newest row of each pet and organisation, for engines that know no rules."""
