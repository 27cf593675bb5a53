// C11's threads as POSIX threads, for runs under ThreadSanitizer: preloaded, so that librdkafka uses it.
//
// The sanitizer follows pthread_create and pthread_mutex_lock, but not glibc's thrd_create and mtx_lock, which do not call
// them: it crashes in a thread that it has not seen begin. In glibc the types of both are the same.
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <threads.h>

typedef struct {
    thrd_start_t body;
    void *argument;
} start;

static void *begin(void *pointer) {
    start what = *(start *)pointer;
    free(pointer);
    return (void *)(long)what.body(what.argument);
}

int thrd_create(thrd_t *thread, thrd_start_t body, void *argument) {
    start *what = malloc(sizeof *what);
    if (!what) return thrd_nomem;
    *what = (start){body, argument};
    if (pthread_create(thread, NULL, begin, what) == 0) return thrd_success;
    free(what);
    return thrd_error;
}

int thrd_join(thrd_t thread, int *result) {
    void *value;
    if (pthread_join(thread, &value)) return thrd_error;
    if (result) *result = (int)(long)value;
    return thrd_success;
}

int mtx_init(mtx_t *mutex, int type) {
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    if (type & mtx_recursive) pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
    int error = pthread_mutex_init((pthread_mutex_t *)mutex, &attributes);
    pthread_mutexattr_destroy(&attributes);
    return error ? thrd_error : thrd_success;
}

int mtx_lock(mtx_t *mutex) { return pthread_mutex_lock((pthread_mutex_t *)mutex) ? thrd_error : thrd_success; }

int mtx_unlock(mtx_t *mutex) { return pthread_mutex_unlock((pthread_mutex_t *)mutex) ? thrd_error : thrd_success; }

void mtx_destroy(mtx_t *mutex) { pthread_mutex_destroy((pthread_mutex_t *)mutex); }

int cnd_init(cnd_t *condition) {
    return pthread_cond_init((pthread_cond_t *)condition, NULL) ? thrd_error : thrd_success;
}

int cnd_signal(cnd_t *condition) {
    return pthread_cond_signal((pthread_cond_t *)condition) ? thrd_error : thrd_success;
}

int cnd_broadcast(cnd_t *condition) {
    return pthread_cond_broadcast((pthread_cond_t *)condition) ? thrd_error : thrd_success;
}

int cnd_wait(cnd_t *condition, mtx_t *mutex) {
    return pthread_cond_wait((pthread_cond_t *)condition, (pthread_mutex_t *)mutex) ? thrd_error : thrd_success;
}

int cnd_timedwait(cnd_t *restrict condition, mtx_t *restrict mutex, const struct timespec *restrict until) {
    switch (pthread_cond_timedwait((pthread_cond_t *)condition, (pthread_mutex_t *)mutex, until)) {
    case 0: return thrd_success;
    case ETIMEDOUT: return thrd_timedout;
    default: return thrd_error;
    }
}

void cnd_destroy(cnd_t *condition) { pthread_cond_destroy((pthread_cond_t *)condition); }
