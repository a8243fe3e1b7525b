// SPDX-License-Identifier: LGPL-2.1-or-later
/* The writer of log messages; see log_writer.h. */
#include "duned/log_writer.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>

#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#include "duned/thread.h"

#define MAX_FIELDS   16
#define THREAD_STACK (256 * 1024)

static bool to_journal;

static struct {
	struct log_entry entries[LOG_QUEUE];
	atomic_size_t head; /* next to write; the writer's */
	atomic_size_t tail; /* next to fill; the loop's */
	atomic_uint_fast64_t dropped; /* since the start */
	uint64_t reported; /* of those; the writer's */
	sem_t filled; /* posted for each message, and once for the end */
	atomic_bool running, ending;
	pthread_t thread;
} queue;

/* Is stderr the journal's stream? JOURNAL_STREAM names its device and inode. */
static bool stderr_is_journal(void)
{
	const char *text = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat status;

	return text && sscanf(text, "%llu:%llu", &device, &inode) == 2 && !fstat(2, &status) &&
	       status.st_dev == device && status.st_ino == inode;
}

void log_writer_init(void)
{
	to_journal = stderr_is_journal();
}

/* ---- writing ---- */

static int write_journal(const struct log_entry *entry)
{
	char message[LOG_ENTRY_BYTES + 16], priority[16], id[64];
	struct iovec vector[MAX_FIELDS + 4];
	const char *field = entry->text + strlen(entry->text) + 1;
	int count = 0;

#define ADD(buffer, ...)   \
	(vector[count++] = \
		 (struct iovec){ buffer, (size_t)snprintf(buffer, sizeof(buffer), __VA_ARGS__) })
	ADD(message, "MESSAGE=%s", entry->text);
	ADD(priority, "PRIORITY=%d", entry->priority);
	if (log_message_id(entry->id))
		ADD(id, "MESSAGE_ID=%s", log_message_id(entry->id));
#undef ADD
	vector[count++] = (struct iovec){ (char *)"SYSLOG_IDENTIFIER=duned", 23 };
	for (unsigned int i = 0; i < entry->nr_fields && i < MAX_FIELDS; i++) {
		vector[count++] = (struct iovec){ (char *)field, strlen(field) };
		field += strlen(field) + 1;
	}
	return sd_journal_sendv(vector, count);
}

static void write_entry(const struct log_entry *entry)
{
	if (to_journal && write_journal(entry) >= 0)
		return;
	/* Not under the journal, or it does not listen: its stream takes a line with a priority. */
	if (to_journal)
		fprintf(stderr, "<%d>%s\n", entry->priority, entry->text);
	else
		fprintf(stderr, "duned: %s\n", entry->text);
}

static void report_dropped(void)
{
	uint64_t dropped = atomic_load(&queue.dropped);
	struct log_entry entry = { .priority = LOG_WARNING,
				   .id = MESSAGE_MESSAGES_DROPPED,
				   .nr_fields = 1 };
	int n;

	if (dropped == queue.reported)
		return;
	n = snprintf(entry.text, sizeof(entry.text),
		     "%llu messages were dropped: the journal is slow",
		     (unsigned long long)(dropped - queue.reported));
	snprintf(entry.text + n + 1, sizeof(entry.text) - (size_t)n - 1, "DUNE_COUNT=%llu",
		 (unsigned long long)(dropped - queue.reported));
	queue.reported = dropped;
	write_entry(&entry);
}

/* ---- the thread ---- */

static void *writer(void *argument)
{
	for (;;) {
		size_t head = atomic_load_explicit(&queue.head, memory_order_relaxed);

		if (head == atomic_load_explicit(&queue.tail, memory_order_acquire)) {
			report_dropped();
			if (atomic_load(&queue.ending))
				return NULL;
			while (sem_wait(&queue.filled) < 0 && errno == EINTR)
				;
			continue;
		}
		write_entry(&queue.entries[head % LOG_QUEUE]);
		atomic_store_explicit(&queue.head, head + 1, memory_order_release);
	}
}

int log_writer_start(void)
{
	int r;

	if (sem_init(&queue.filled, 0, 0) < 0)
		return -errno;
	atomic_store(&queue.ending, false);
	r = thread_start(&queue.thread, THREAD_STACK, writer, NULL);
	if (!r)
		atomic_store(&queue.running, true);
	return r;
}

void log_writer_stop(void)
{
	if (!atomic_exchange(&queue.running, false))
		return;
	atomic_store(&queue.ending, true);
	sem_post(&queue.filled);
	/* What a writer that hangs has not written is lost. */
	thread_end(queue.thread, LOG_STOP_MS / 1000);
}

bool log_writer_put(const struct log_entry *entry)
{
	size_t tail = atomic_load_explicit(&queue.tail, memory_order_relaxed);
	struct log_entry *slot = &queue.entries[tail % LOG_QUEUE];

	if (!atomic_load(&queue.running)) {
		write_entry(entry);
		return true;
	}
	if (tail - atomic_load_explicit(&queue.head, memory_order_acquire) >= LOG_QUEUE) {
		atomic_fetch_add(&queue.dropped, 1);
		return false;
	}
	slot->priority = entry->priority;
	slot->id = entry->id;
	slot->nr_fields = entry->nr_fields;
	slot->size = entry->size;
	memcpy(slot->text, entry->text, entry->size);
	atomic_store_explicit(&queue.tail, tail + 1, memory_order_release);
	sem_post(&queue.filled);
	return true;
}
