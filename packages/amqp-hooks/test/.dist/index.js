// src/amqp-hooks.ts
import { isTusError, TusError as TusError2 } from "tuskit";
import { usualEvents } from "tuskit/hook-formats";

// src/amqp-hooks-options.ts
import { hookFormatRules, hookTypes } from "tuskit/hook-formats";
import { checkOptions, must } from "tuskit/store-kit";
var types = ["topic", "direct", "fanout", "headers"];
var beType = {
  ...must.beOneOf(...types),
  expectation: "'topic', 'direct', 'fanout', 'headers', or a type that begins with 'x-'",
  accepts: (v) => typeof v === "string" && (types.includes(v) || v.startsWith("x-"))
};
var beShort = { expectation: "a string of at most 255 bytes", accepts: isShort };
var beShortName = {
  expectation: "a string of 1 to 255 bytes",
  accepts: (v) => v !== "" && isShort(v)
};
var beRoutingKey = {
  expectation: "a string of at most 255 bytes, or a function",
  accepts: (v) => typeof v === "function" || isShort(v)
};
var beBindings = {
  expectation: "an array of strings of at most 255 bytes",
  accepts: (v) => Array.isArray(v) && v.every(isShort)
};
var beQueues = {
  expectation: "an array of objects, such as { name: 'uploads' }",
  accepts: (v) => Array.isArray(v) && v.every(must.beObject.accepts)
};
function checkAmqpOptions(options) {
  const name = "AmqpHooks";
  const checked = checkOptions(name, options, {
    connect: { ...must.beFunction, required: true },
    exchange: must.beObject,
    queues: beQueues,
    routingKey: beRoutingKey,
    events: must.beListOf(...hookTypes),
    celery: must.beText,
    timeout: must.beMilliseconds,
    ...hookFormatRules
  });
  const exchange = checkOptions(
    { name, within: "exchange" },
    checked.exchange ?? {},
    {
      name: beShort,
      type: beType,
      durable: must.beBoolean,
      autoDelete: must.beBoolean,
      declare: must.beBoolean
    }
  );
  const queues = (checked.queues ?? []).map(
    (queue, index) => checkOptions({ name, within: `queues.${index}` }, queue, {
      name: { ...beShortName, required: true },
      bindings: beBindings,
      durable: must.beBoolean,
      autoDelete: must.beBoolean,
      arguments: must.beObject
    })
  );
  return Object.freeze({ ...checked, exchange, queues });
}
function isShort(value) {
  return typeof value === "string" && Buffer.byteLength(value) <= 255;
}

// src/lasting-publisher.ts
import { setTimeout as sleep } from "timers/promises";
import { unlessAborted as unlessAborted2 } from "tuskit/store-kit";

// src/publisher.ts
import { TusError } from "tuskit";
import { unlessAborted } from "tuskit/store-kit";

// src/topology.ts
function topologyOf(exchange, queues, keys) {
  return {
    exchange: {
      ...{ name: "tuskit", type: "topic", durable: true, autoDelete: false, declare: true },
      ...exchange
    },
    queues: queues.map((queue) => ({
      ...{ bindings: keys, durable: true, autoDelete: false, arguments: {} },
      ...queue
    }))
  };
}
async function declare(channel, { exchange, queues }) {
  const isDefault = exchange.name === "";
  if (!isDefault && exchange.declare) {
    const { name, type, durable, autoDelete } = exchange;
    await channel.assertExchange(name, type, { durable, autoDelete });
  } else if (!isDefault) {
    await channel.checkExchange(exchange.name);
  }
  for (const { name, bindings, ...options } of queues) {
    await channel.assertQueue(name, options);
    if (isDefault) continue;
    for (const key of bindings) await channel.bindQueue(name, exchange.name, key);
  }
}

// src/publisher.ts
var Publisher = class _Publisher {
  #connection;
  #channel;
  #topology;
  #unconfirmed = /* @__PURE__ */ new Set();
  /** Calls that wait until the broker takes messages again. */
  #waiting = /* @__PURE__ */ new Set();
  #isBlocked = false;
  #isFull = false;
  #isLost = false;
  /** Why the connection was lost. */
  #reason;
  #declared;
  /** Opens a channel and declares everything. If this fails, closes the connection. */
  static async open(connection, topology, options) {
    const { signal, onLost } = options;
    let reason;
    connection.on("error", (error) => reason = error);
    try {
      const creating = connection.createConfirmChannel({ highWaterMark: 16 });
      const channel = await unlessAborted(signal, creating);
      const publisher = new _Publisher(connection, channel, topology, onLost);
      await unlessAborted(signal, publisher.#declare());
      return publisher;
    } catch (error) {
      closeQuietly(connection);
      throw reason ?? error;
    }
  }
  constructor(connection, channel, topology, onLost) {
    this.#connection = connection;
    this.#channel = channel;
    this.#topology = topology;
    const note = (error) => this.#reason ??= error;
    const lose = () => {
      if (this.#isLost) return;
      this.#isLost = true;
      onLost();
      this.#wake();
      closeQuietly(connection);
    };
    connection.on("error", note);
    connection.on("close", lose);
    connection.on("blocked", () => this.#isBlocked = true);
    connection.on("unblocked", () => {
      this.#isBlocked = false;
      this.#wake();
    });
    channel.on("error", note);
    channel.on("close", lose);
    channel.on("drain", () => {
      this.#isFull = false;
      this.#wake();
    });
    channel.on("return", (message) => this.#note(message));
  }
  /** Whether the connection is lost. Then nothing is published any more. */
  get isLost() {
    return this.#isLost;
  }
  /**
   * Publishes a message. Resolves when the broker has confirmed it, so that it is in a queue, and
   * on the disk of a durable one.
   *
   * When the signal aborts, the broker may take the message all the same.
   */
  async publish(message, { signal }) {
    await unlessAborted(signal, this.#declare());
    while (this.#isBlocked || this.#isFull) await this.#wait(signal);
    signal.throwIfAborted();
    await unlessAborted(signal, this.#send(message));
  }
  async close() {
    await this.#connection.close();
  }
  #declare() {
    return this.#declared ??= declare(this.#channel, this.#topology);
  }
  #send({ routingKey, content, properties }) {
    const { name } = this.#topology.exchange;
    const sent = { messageId: properties.messageId };
    return new Promise((resolve, reject) => {
      const onConfirm = (error) => {
        this.#unconfirmed.delete(sent);
        if (error !== null) reject(this.#failure(error));
        else if (sent.returned !== void 0) reject(unroutable(sent.returned));
        else resolve();
      };
      this.#unconfirmed.add(sent);
      try {
        this.#isFull = !this.#channel.publish(name, routingKey, content, properties, onConfirm);
      } catch (error) {
        onConfirm(error);
      }
    });
  }
  #failure(cause) {
    if (!this.#isLost) return refused("The broker does not take the message", cause);
    return refused("The connection to the broker was lost", this.#reason ?? cause);
  }
  /** Notes that no queue takes a message. The broker says so before it confirms the message. */
  #note({ fields, properties }) {
    for (const sent of this.#unconfirmed) {
      if (sent.messageId !== properties.messageId || sent.returned !== void 0) continue;
      sent.returned = `${fields.replyCode} ${fields.replyText}`;
      break;
    }
    this.#declared = void 0;
  }
  async #wait(signal) {
    let wake;
    const woken = new Promise((resolve) => wake = resolve);
    this.#waiting.add(wake);
    try {
      await unlessAborted(signal, woken);
    } finally {
      this.#waiting.delete(wake);
    }
  }
  #wake() {
    if (this.#isLost) this.#isBlocked = this.#isFull = false;
    for (const wake of this.#waiting) wake();
  }
};
function unroutable(reason) {
  return refused("No queue takes the message", new Error(reason));
}
function refused(message, reason) {
  const cause = new Error(message, { cause: reason });
  return new TusError("ERR_HOOK_UNAVAILABLE", { cause });
}
function closeQuietly(connection) {
  void (async () => connection.close())().catch(() => {
  });
}

// src/within.ts
async function within({ milliseconds, signal, timeoutError }, work) {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(timeoutError()), milliseconds);
  const onAbort = () => controller.abort(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    return await work(controller.signal);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
  }
}

// src/lasting-publisher.ts
var [firstDelay, longestDelay] = [100, 5e3];
var LastingPublisher = class {
  #connect;
  #topology;
  #timeout;
  #closing = new AbortController();
  /** The one in use, or one that is being opened. */
  #current;
  /** Lost connections and failed attempts since a connection lasted. */
  #failures = 0;
  constructor(connect, topology, timeout) {
    this.#connect = connect;
    this.#topology = topology;
    this.#timeout = timeout;
  }
  /** Connects and declares everything, unless this has been done. Does not try twice. */
  async open() {
    await this.#publisher();
  }
  /**
   * Publishes a message, and again over other connections while they are lost. `onFailure` is
   * notified of each failure after which it tries again.
   */
  async publish(message, signal, onFailure) {
    for (; ; ) {
      this.#closing.signal.throwIfAborted();
      let publisher;
      try {
        publisher = await unlessAborted2(signal, this.#publisher());
        return await publisher.publish(message, { signal });
      } catch (error) {
        const isLost = publisher === void 0 || publisher.isLost;
        if (!isLost || signal.aborted || this.#closing.signal.aborted) throw error;
        onFailure(error);
      }
    }
  }
  /** Closes the connection. It is not opened again. */
  async close() {
    this.#closing.abort(new Error("The connection to the broker is closed"));
    const publisher = await this.#current?.catch(() => void 0);
    if (publisher === void 0 || publisher.isLost) return;
    const signal = AbortSignal.timeout(this.#timeout);
    await unlessAborted2(signal, publisher.close());
  }
  #publisher() {
    return this.#current ??= this.#open();
  }
  async #open() {
    const limit = {
      milliseconds: this.#timeout,
      signal: this.#closing.signal,
      timeoutError: () => new Error(`The broker took longer than ${this.#timeout} ms`)
    };
    try {
      await this.#pause();
      return await within(limit, (signal) => this.#attempt(signal));
    } catch (error) {
      this.#failures++;
      this.#current = void 0;
      throw error;
    }
  }
  async #attempt(signal) {
    signal.throwIfAborted();
    let openedAt;
    const onLost = () => {
      if (openedAt !== void 0) this.#reconnect(performance.now() - openedAt);
    };
    const connection = await unlessAborted2(signal, this.#connect(), (late2) => late2.close());
    const publisher = await Publisher.open(connection, this.#topology, { signal, onLost });
    if (publisher.isLost) throw new Error("The broker closed the connection");
    openedAt = performance.now();
    return publisher;
  }
  /** Waits before an attempt after a failure. The wait is random, so that servers spread out. */
  async #pause() {
    if (this.#failures === 0) return;
    const longest = Math.min(longestDelay, firstDelay * 2 ** (this.#failures - 1));
    const { signal } = this.#closing;
    await sleep((0.5 + Math.random() / 2) * longest, void 0, { signal, ref: false });
  }
  /** Connects again without waiting for the next message, so that consumers find their queues. */
  #reconnect(lasted) {
    this.#current = void 0;
    this.#failures = lasted > longestDelay ? 1 : this.#failures + 1;
    void this.#reopen();
  }
  async #reopen() {
    let isOpen = false;
    while (!isOpen && !this.#closing.signal.aborted) {
      isOpen = await this.#publisher().then(
        () => true,
        () => false
      );
    }
  }
};

// src/message-of.ts
import { randomUUID } from "crypto";
import { formatHookCall } from "tuskit/hook-formats";
function messageOf(call, routingKey, options) {
  const { type } = call.event;
  const message = formatHookCall(call, options);
  const messageId = idOf(call);
  const isTask = options.celery !== void 0;
  return {
    routingKey,
    // A task of Celery: its arguments, its named arguments, and what to do with the result.
    content: Buffer.from(JSON.stringify(isTask ? [[message], {}, {}] : message)),
    properties: {
      type,
      messageId,
      timestamp: Math.floor(Date.now() / 1e3),
      contentType: "application/json",
      contentEncoding: "utf-8",
      headers: isTask ? { id: messageId, task: options.celery + type } : {},
      persistent: true,
      mandatory: true
    }
  };
}
function idOf({ event }) {
  return event.type.startsWith("post-") ? event.id : randomUUID();
}

// src/amqp-hooks.ts
var AmqpHooks = class {
  events;
  #options;
  #timeout;
  #publisher;
  #routingKeys;
  constructor(options) {
    this.#options = checkAmqpOptions(options);
    const { connect, exchange = {}, queues = [], routingKey, events, timeout } = this.#options;
    this.events = events?.slice() ?? usualEvents.filter((type) => type.startsWith("post-"));
    this.#routingKeys = new Map(this.events.map((type) => [type, keyOf(type, routingKey)]));
    this.#timeout = timeout ?? 5e3;
    const topology = topologyOf(exchange, queues, [...new Set(this.#routingKeys.values())]);
    this.#publisher = new LastingPublisher(connect, topology, this.#timeout);
  }
  async open() {
    try {
      await this.#publisher.open();
    } catch (cause) {
      throw unavailable(cause);
    }
  }
  async call(call, { signal }) {
    const message = messageOf(call, this.#routingKeys.get(call.event.type), this.#options);
    let failure;
    const limit = {
      milliseconds: this.#timeout,
      signal,
      // It did not get as far as to wait for the confirm.
      timeoutError: () => failure === void 0 ? late() : unavailable(failure)
    };
    try {
      await within(
        limit,
        (signal2) => this.#publisher.publish(message, signal2, (error) => failure = error)
      );
    } catch (error) {
      throw signal.aborted ? error : unavailable(error);
    }
  }
  async close() {
    await this.#publisher.close();
  }
};
function keyOf(event, given) {
  const key = typeof given === "function" ? given(event) : given ?? event;
  if (typeof key === "string" && Buffer.byteLength(key) <= 255) return key;
  const expectation = "return a string of at most 255 bytes";
  throw new TypeError(`AmqpHooks: option 'routingKey' must ${expectation} for ${event}`);
}
function late() {
  return new TusError2("ERR_HOOK_TIMEOUT");
}
function unavailable(cause) {
  return isTusError(cause) ? cause : new TusError2("ERR_HOOK_UNAVAILABLE", { cause });
}
export {
  AmqpHooks
};
