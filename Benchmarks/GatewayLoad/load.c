// The open loop: requests start when they are due, whatever became of those before.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "load.h"

enum { BUFFER = 8192 };

/// One connection, and the request that is under way on it.
struct connection {
    int socket;
    bool busy;        ///< A request is under way.
    int64_t start;    ///< When it was due.
    char *request;    ///< What is still to be sent.
    size_t size, sent;
    char *answer;
    size_t received;
    int next_idle;
};

struct load {
    const struct options *options;
    struct results *results;
    struct connection *connections;
    int opened, open, first_idle, epoll;
    int64_t run;
};

static void watch(struct load *load, int index, bool writing, bool add) {
    struct epoll_event event = {.events = EPOLLIN | (writing ? EPOLLOUT : 0), .data.u32 = (uint32_t) index};
    epoll_ctl(load->epoll, add ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, load->connections[index].socket, &event);
}

static int open_connection(struct load *load) {
    if (load->opened >= load->options->connections) return -1;
    int one = 1, handle = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (handle < 0) return -1;
    setsockopt(handle, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(load->options->port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(handle, (struct sockaddr *) &address, sizeof address) != 0 && errno != EINPROGRESS) {
        close(handle);
        return -1;
    }
    int index = load->opened++;
    load->connections[index] = (struct connection) {.socket = handle, .answer = malloc(BUFFER), .next_idle = -1};
    if (++load->open > load->results->most_open) load->results->most_open = load->open;
    watch(load, index, true, true);
    return index;
}

static void drop(struct load *load, int index) {
    struct connection *connection = &load->connections[index];
    if (connection->socket < 0) return;
    if (connection->busy) load->results->dropped++;
    close(connection->socket);
    free(connection->request);
    free(connection->answer);
    *connection = (struct connection) {.socket = -1, .next_idle = -1};
    load->open--;
}

static void push(struct load *load, int index) {
    struct connection *connection = &load->connections[index];
    while (connection->sent < connection->size) {
        ssize_t count = send(connection->socket, connection->request + connection->sent,
                             connection->size - connection->sent, MSG_NOSIGNAL);
        if (count < 0) {
            if (errno == EAGAIN || errno == ENOTCONN || errno == EINPROGRESS) return watch(load, index, true, false);
            return drop(load, index);
        }
        connection->sent += (size_t) count;
    }
    watch(load, index, false, false);
}

/// Makes the request of order `number`, and begins to send it.
static void begin(struct load *load, int index, long number, int64_t due) {
    struct connection *connection = &load->connections[index];
    char body[512], path[64] = "/orders";
    if (load->options->hold) snprintf(path, sizeof path, "/orders?wait=%ds", load->options->wait);
    int length = snprintf(body, sizeof body,
                          "{\"orderID\":\"load-%llx-%ld\",\"customer\":\"load@example.org\",\"country\":\"DE\","
                          "\"card\":\"tok-visa\",\"lines\":[{\"sku\":\"lamp\",\"quantity\":1,\"unitPrice\":29.90}],"
                          "\"total\":29.90,\"placedAt\":\"2026-11-21T12:00:00.000Z\"}",
                          (unsigned long long) load->run, number);
    free(connection->request);
    int size = asprintf(&connection->request,
                        "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                        "Content-Length: %d\r\n\r\n%s",
                        path, length, body);
    if (size < 0) {
        connection->request = NULL;
        return drop(load, index);
    }
    connection->size = (size_t) size;
    connection->sent = 0;
    connection->received = 0;
    connection->start = due;
    connection->busy = true;
    load->results->sent++;
    push(load, index);
}

/// The whole answer is there: counts it.
static void finish(struct load *load, int index, int status, const char *body) {
    struct connection *connection = &load->connections[index];
    struct results *results = load->results;
    samples_add(&results->latency, now_us() - connection->start);
    results->answered++;
    if (status == 202) {
        results->accepted++;
    } else if (status == 200) {
        results->ended++;
        const char *ending = strstr(body, "\"ending\":{");
        const char *time = ending == NULL ? NULL : strstr(ending, "\"time\":\"");
        int64_t ended = time == NULL ? -1 : parse_time(time + strlen("\"time\":\""));
        if (ended >= 0) samples_add(&results->ending, wall_us() - ended);
    } else {
        results->refused++;
        if (results->refused <= 3) fprintf(stderr, "GatewayLoad: %d %.300s\n", status, body);
    }
    connection->busy = false;
    connection->next_idle = load->first_idle;
    load->first_idle = index;
}

static void pull(struct load *load, int index) {
    struct connection *connection = &load->connections[index];
    ssize_t count =
        recv(connection->socket, connection->answer + connection->received, BUFFER - 1 - connection->received, 0);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (count <= 0) return drop(load, index);
    connection->received += (size_t) count;
    connection->answer[connection->received] = 0;
    char *end = strstr(connection->answer, "\r\n\r\n");
    if (end == NULL || !connection->busy) return;
    const char *length = strcasestr(connection->answer, "\r\nContent-Length:");
    size_t body = length == NULL || length > end ? 0 : strtoul(length + strlen("\r\nContent-Length:"), NULL, 10);
    size_t head = (size_t) (end + 4 - connection->answer);
    if (head + body >= BUFFER) return drop(load, index);
    if (connection->received < head + body) return;
    finish(load, index, atoi(connection->answer + strlen("HTTP/1.1 ")), end + 4);
}

static int take_idle(struct load *load) {
    while (load->first_idle >= 0) {
        int index = load->first_idle;
        load->first_idle = load->connections[index].next_idle;
        if (load->connections[index].socket >= 0 && !load->connections[index].busy) return index;
    }
    return -1;
}

int run_load(const struct options *options, struct results *results) {
    struct load load = {.options = options, .results = results, .first_idle = -1, .run = wall_us()};
    load.connections = calloc((size_t) options->connections, sizeof *load.connections);
    load.epoll = epoll_create1(0);
    if (load.connections == NULL || load.epoll < 0) return -1;
    long total = options->hold ? options->connections : (long) (options->rate * options->seconds);
    long begun = 0;
    int64_t start = now_us();
    // What is not answered long after it was due will not be.
    int64_t deadline = start + (int64_t) ((double) total / options->rate * 1e6) + (options->wait + 30) * 1000000LL;
    struct epoll_event events[1024];
    while (results->answered + results->dropped < total) {
        int64_t now = now_us();
        if (now > deadline) break;
        while (begun < total) {
            int64_t due = start + (int64_t) ((double) begun / options->rate * 1e6);
            if (due > now) break;
            int index = options->hold ? -1 : take_idle(&load);
            if (index < 0) index = open_connection(&load);
            if (index < 0) {
                if (load.open == 0) return -1;
                break;  // All are busy: it starts late, and its latency counts from when it was due.
            }
            begin(&load, index, begun++, due);
        }
        int64_t due = start + (int64_t) ((double) begun / options->rate * 1e6);
        int timeout = begun < total && due > now ? (int) ((due - now) / 1000) : begun < total ? 1 : 100;
        int count = epoll_wait(load.epoll, events, 1024, timeout > 100 ? 100 : timeout);
        for (int number = 0; number < count; number++) {
            int index = (int) events[number].data.u32;
            if (load.connections[index].socket < 0) continue;
            if (events[number].events & EPOLLOUT) push(&load, index);
            if (load.connections[index].socket >= 0 && (events[number].events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
                pull(&load, index);
        }
    }
    results->dropped = results->sent - results->answered;
    return 0;
}
