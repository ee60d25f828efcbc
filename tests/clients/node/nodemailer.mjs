// nodemailer sends by submission: each way to log in on each port, attachments, addresses beyond ASCII, and what is refused.

import { Buffer } from "node:buffer";
import { accounts, check, failure, ports, require } from "./house.mjs";

const nodemailer = require("nodemailer");
const [ann, bob] = accounts;

function transport(port, method, options = {}) {
    return nodemailer.createTransport({
        host: "127.0.0.1",
        port: ports[port],
        secure: port === "submissions",
        requireTLS: port === "submission",
        authMethod: method,
        auth: { user: ann.address, pass: ann.password },
        tls: { rejectUnauthorized: false },
        ...options,
    });
}

const mail = (subject, more) => ({ from: { name: "Ann \u00dc", address: ann.address }, to: bob.address, subject, text: "Gr\u00fc\u00dfe\n.\n..\n", ...more });

for (const port of ["submission", "submissions"]) {
    for (const method of ["PLAIN", "LOGIN"]) {
        const sent = await transport(port, method).sendMail(
            mail(`${port} ${method} \u00fc \u53f0\u5317`, {
                html: "<p>Gr\u00fc\u00dfe</p>",
                attachments: [{ filename: "\u00fcbersicht.bin", content: Buffer.alloc(200000, "pillar") }],
            }),
        );
        check(`nodemailer sends by ${port} with ${method}`, `${sent.accepted}` === bob.address && sent.response.startsWith("250 2."), sent);
    }
}
for (const [port, method] of [["submission", "LOGIN"], ["submissions", "PLAIN"]]) {
    const error = await failure(() => transport(port, method, { auth: { user: ann.address, pass: "abcd-efgh-jkmn-pqrs" } }).verify());
    check(`a wrong password by ${port} with ${method}`, error.code === "EAUTH" && error.responseCode === 535, error);
}

const one = transport("submissions", "PLAIN", { pool: true, maxConnections: 2 });
const sent = await Promise.all(Array.from({ length: 20 }, (_, number) => one.sendMail(mail(`pooled ${number}`))));
check("twenty by two connections", sent.every((each) => each.accepted.length === 1), sent);
const utf8 = await one.sendMail(mail("SMTPUTF8", { to: "gr\u00fc\u00dfe@pillarbox.test" }));
check("to an address beyond ASCII", `${utf8.accepted}` === "gr\u00fc\u00dfe@pillarbox.test", utf8);
const some = await one.sendMail(mail("some", { to: [bob.address, "nobody@pillarbox.test"] }));
check("one of two recipients", `${some.accepted}|${some.rejected}` === `${bob.address}|nobody@pillarbox.test`, some);
const none = await failure(() => one.sendMail(mail("none", { to: "nobody@pillarbox.test" })));
check("no recipient", none.code === "EENVELOPE" && none.responseCode === 550, none);
const other = await failure(() => one.sendMail(mail("not mine", { from: bob.address })));
check("another's address", other.responseCode === 550 && other.response.includes("5.7.1"), other);
one.close();
