// What the scripts of this folder share: packages from target/node, what libraries.py tells them, and checks, which go
// back to it as a line of JSON each.

import { once } from "node:events";
import { createRequire } from "node:module";
import path from "node:path";

export const require = createRequire(path.resolve("target/node/package.json"));
export const { ports, accounts } = JSON.parse(process.argv[2]);

export function check(name, holds, seen) {
    const plain = (_, value) => (typeof value === "bigint" ? `${value}` : value instanceof Set ? [...value] : value);
    console.log(JSON.stringify({ name, holds: Boolean(holds), seen: JSON.stringify(seen, plain) }));
}

/// The first of the events that is as wanted, or what came instead within five seconds.
export async function heard(emitter, event, wanted = () => true) {
    const signal = AbortSignal.timeout(5000);
    const others = [];
    try {
        for (;;) {
            const [one] = await once(emitter, event, { signal });
            if (wanted(one)) {
                return one;
            }
            others.push(one);
        }
    } catch {
        return { missing: event, others };
    }
}

export async function failure(work) {
    try {
        return { done: await work() };
    } catch (error) {
        return error;
    }
}
