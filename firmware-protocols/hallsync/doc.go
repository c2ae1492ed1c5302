// Package hallsync gives the contract between a hall's agent and the cloud: the facts a hall records, the batches and
// acknowledgements that move them, the central commands, and the MQTT topics they travel on.
//
// Everything is JSON in UTF-8. Times are RFC 3339 with offset, durations are whole seconds or milliseconds as the field
// name says. Unknown fields are ignored by the reader and kept by the cloud, which stores the original bytes.
// A sequence number is a JSON number up to 2^53 and a JSON string beyond it, so that JavaScript tools never round it.
package hallsync
