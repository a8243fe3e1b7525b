// SPDX-License-Identifier: GPL-2.0-only
/*
 * One ring of events for all readers, each with a position of its own: posting never waits and never fails, a
 * reader that is too slow is told how many it lost.
 */
#include <linux/fs.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/timekeeping.h>
#include <linux/uaccess.h>
#include <linux/wait.h>
#include "kmod/context.h"
#include "kmod/event.h"

#define EVENTS_MAX	1024	/* a power of two */

static DEFINE_SPINLOCK(event_lock);
static struct dune_event events[EVENTS_MAX];	/* under event_lock */
static u64 event_next;				/* sequence number of the next event; under event_lock */
static DECLARE_WAIT_QUEUE_HEAD(event_wait);

struct dune_reader {
	struct mutex lock;
	u64 next;	/* under lock */
};

void event_post(const struct dune_context *ctx, u32 type, u32 value, u64 detail)
{
	struct dune_event *event;
	unsigned long flags;

	spin_lock_irqsave(&event_lock, flags);
	event = &events[event_next % EVENTS_MAX];
	*event = (struct dune_event){
		.seq = event_next,
		.time_ns = ktime_get_ns(),
		.id = ctx->id,
		.type = type,
		.owner = from_kuid(&init_user_ns, ctx->owner),
		.pid = pid_nr(READ_ONCE(ctx->pid)),
		.value = value,
		.detail = detail,
	};
	memcpy(event->name, ctx->name, sizeof(event->name));
	event_next++;
	spin_unlock_irqrestore(&event_lock, flags);
	wake_up_interruptible(&event_wait);
}

struct dune_reader *event_reader_new(void)
{
	struct dune_reader *reader = kzalloc(sizeof(*reader), GFP_KERNEL_ACCOUNT);

	if (!reader)
		return NULL;
	mutex_init(&reader->lock);
	spin_lock_irq(&event_lock);
	reader->next = event_next;
	spin_unlock_irq(&event_lock);
	return reader;
}

static bool event_waiting(struct dune_reader *reader)
{
	return READ_ONCE(event_next) != READ_ONCE(reader->next);
}

/* The next event for this reader; false when there is none. Caller holds reader->lock. */
static bool event_take(struct dune_reader *reader, struct dune_event *ret_event)
{
	bool found;
	u64 oldest;

	spin_lock_irq(&event_lock);
	found = reader->next < event_next;
	oldest = event_next > EVENTS_MAX ? event_next - EVENTS_MAX : 0;
	if (reader->next < oldest) {
		*ret_event = (struct dune_event){
			.seq = oldest,
			.time_ns = ktime_get_ns(),
			.type = DUNE_EVENT_LOST,
			.detail = oldest - reader->next,
		};
		reader->next = oldest;
	} else if (found) {
		*ret_event = events[reader->next++ % EVENTS_MAX];
	}
	spin_unlock_irq(&event_lock);
	return found;
}

ssize_t event_read(struct dune_reader *reader, char __user *buffer, size_t size_bytes, bool block)
{
	struct dune_event event;
	ssize_t done = 0;
	int err;

	if (size_bytes < sizeof(event))
		return -EINVAL;
	do {
		if (!event_waiting(reader) && !block)
			return -EAGAIN;
		err = wait_event_interruptible(event_wait, event_waiting(reader));
		if (err)
			return err;
		if (mutex_lock_interruptible(&reader->lock))
			return -ERESTARTSYS;
		while (size_bytes - done >= sizeof(event) && event_take(reader, &event)) {
			if (copy_to_user(buffer + done, &event, sizeof(event))) {
				mutex_unlock(&reader->lock);
				return done ? done : -EFAULT;
			}
			done += sizeof(event);
		}
		mutex_unlock(&reader->lock);
	} while (!done);	/* another thread of the reader was faster */
	return done;
}

__poll_t event_poll(struct file *file, poll_table *table)
{
	poll_wait(file, &event_wait, table);
	return event_waiting(file->private_data) ? EPOLLIN | EPOLLRDNORM : 0;
}
