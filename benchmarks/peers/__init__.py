"""Other people's programs that move the same rows into the same partition, measured beside ours in one run.

What's here: `peer` the interface · `process`, `programs` those that are one command · `connect` Kafka Connect ·
`flink`, `flink_cluster` Flink SQL · `rows` what they move · `watch` the clock · `count` what arrived.

What is timed is the same for all, and for anything else that is put beside them: from the first moment at which a
committed reader could see rows to the moment at which it could see all. Start-up is therefore counted for none.
"""
