"""As JSON what the pages show: routes, types, and the OpenAPI document made from them."""
