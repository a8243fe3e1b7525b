/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Every kind of message that the service logs, one row each: symbol, MESSAGE_ID, what happened. The
 * journal's catalog (systemd/dune.catalog) has an entry for each. An id is never given to another
 * kind, and a row is never removed.
 *
 * Fields, beside MESSAGE, PRIORITY and SYSLOG_IDENTIFIER=duned, each only where it means something:
 * DUNE_CONTEXT (id), DUNE_NAME, DUNE_OWNER (uid of the context's owner), DUNE_UID and DUNE_PID (of
 * the client, or of the context's process), DUNE_CAUSE (why a context ended, or polkit
 * could not be asked), DUNE_RIP, DUNE_LIMIT
 * (name of a limit), DUNE_MAXIMUM, DUNE_USED, DUNE_METHOD, DUNE_ERROR (an errno or Varlink error),
 * DUNE_COUNT.
 */
#ifndef DUNED_MESSAGE_IDS_H
#define DUNED_MESSAGE_IDS_H

#define DUNE_MESSAGES(X)                                                                           \
	X(STARTED, "92f53c28b3184e33b7753b2573cadb33", "the service listens")                      \
	X(STOPPING, "52f74bbec1fa47c1874f2dfc572b1213", "the service stops")                       \
	X(CONFIG_INVALID, "330b39a479864c4b828e9a01f905098c", "the configuration is refused")      \
	X(CONFIG_RELOADED, "bac0527402ee40f5b35bffa7deb4f32b", "a new configuration is in force")  \
	X(QUOTA_CHANGED, "38c2df30eed04467bbf4a0d82dd29f65", "an administrator changed a quota")   \
	X(LIMITS_CHANGED, "4c5d1bc515a249fb953f682367445db9", "a context's limits were changed")   \
	X(DEVICE_READY, "0467fd024c884c40828b78053f1a964b", "the module can be used")              \
	X(DEVICE_UNUSABLE, "3319bf0e72b44e5abcce2113b17c647b", "the module can't be used")         \
	X(DEVICE_FAILED, "8547801f58754fee87f72b036e39b080", "an operation of the module failed")  \
	X(EVENTS_LOST, "8a3952792407419cabc56cec468f39d3", "events of the module were lost")       \
	X(CONTEXT_CREATED, "debb10e0fc0f44d383f352e02449e8bf", "a context was created")            \
	X(CONTEXT_ENDED, "44fd0e08a22b42d2802da21574a19d7b", "a context's process is gone")        \
	X(CONTEXT_FAULTED, "2138f0d365bd4119b3221ac11acb6ec6", "a context was ended for a fault")  \
	X(CONTEXT_KILLED, "181b470aa4084ec095e712f852bbe228", "a context was killed on request")   \
	X(CONTEXT_LIMIT, "fd8171d7f03543378d3b456b1544c329", "a context met one of its limits")    \
	X(QUOTA_REFUSED, "6a3ceac5d7db4d4ca39afc94f5d3d6b3", "a quota refused something")          \
	X(ACCESS_DENIED, "82db1ebc08c247fe972183bf8d17a2d7", "a call was refused by the policy")   \
	X(POLKIT_FAILED, "92a54d11a16a4b2c8766bd3a035687a8", "polkit could not be asked")                \
	X(CONNECTIONS_LIMIT, "aacfa7342c214751afee60e0a75f60c1", "a connection above a limit")     \
	X(CALL_RATE, "d157fdd28759452a9d14871f2f7ea7a7", "a user's calls have to wait")            \
	X(MESSAGE_TOO_LONG, "5c538d3ecb394de4bbd902f18bd8a19d", "a client's message is too long")  \
	X(MESSAGE_UNFINISHED, "413adff183004606a4c7809e51b55f1b", "a client's message has no end") \
	X(CLIENT_IDLE, "6001391bae814d67865790c939c0a156", "a client was silent for too long")     \
	X(CLIENT_STALLED, "81c34337a6bc4cf4a53133d6a50053b2", "a client does not read")            \
	X(CLIENT_PROTOCOL, "f78f12b3c92743e785635a32e8733517", "a client does not speak Varlink")  \
	X(CLIENT_DESCRIPTORS, "d951168f6ffc4223a63e2e85e3e7a7ab", "a client sent descriptors")     \
	X(SUBSCRIBERS_LIMIT, "033afe5a59c14790a3ba2267e63ca444", "a stream above a limit")         \
	X(RESOURCES, "0de7241db4ef49a8bfb23e5a8dcf1b4d", "the service ran out of something")       \
	X(MESSAGES_DROPPED, "3712e56611d640c2aad019ea43b1bf21", "messages were dropped")

enum message_id {
	MESSAGE_NONE, /* a line without an id */
#define DUNE_MESSAGE_ENUM(symbol, id, what) MESSAGE_##symbol,
	DUNE_MESSAGES(DUNE_MESSAGE_ENUM)
#undef DUNE_MESSAGE_ENUM
		NR_MESSAGE_IDS
};

#endif
