"""Events and the lifecycle of exports, published to Kafka and acknowledged."""
