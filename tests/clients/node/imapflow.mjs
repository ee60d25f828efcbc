// imapflow with QRESYNC and DEFLATE, in IMAP4rev2 or, if told `rev1`, without it: mailboxes, messages, and what other sessions
// do, heard at once and later.

import { Buffer } from "node:buffer";
import { buffer } from "node:stream/consumers";
import { accounts, check, failure, heard, ports, require } from "./house.mjs";

const { ImapFlow } = require("imapflow");
const nodemailer = require("nodemailer");
const [ann] = accounts;
const rev1 = process.argv[3] === "rev1";

function client(options = {}) {
    const one = new ImapFlow({
        host: "127.0.0.1",
        port: ports.imaps,
        secure: true,
        auth: { user: ann.address, pass: ann.password },
        tls: { rejectUnauthorized: false },
        logger: false,
        emitLogs: true,
        disableAutoIdle: true,
        disableIMAP4rev2: rev1,
        ...options,
    });
    one.said = [];
    one.on("log", (entry) => ["c", "s"].includes(entry.src) && one.said.push(`${entry.src} ${entry.msg}`));
    one.on("error", (error) => check("no error between commands", false, error.message));
    return one;
}

const kept = (flags) => [...flags].filter((flag) => flag !== "\\Recent").sort().join(" ");
const told = (one, side, pattern) => one.said.some((line) => line.startsWith(side) && pattern.test(line));

function message(subject) {
    return Buffer.from(
        `From: "J\u00f6rg" <joe@else.example>\r\nTo: ${ann.address}\r\nSubject: =?utf-8?Q?${subject}_=C3=BC?=\r\n` +
            `Message-ID: <${subject}@else.example>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n` +
            "--b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nGr\u00fc\u00dfe\r\n" +
            "--b\r\nContent-Type: application/octet-stream\r\nContent-Disposition: attachment; filename=\"zeros.bin\"\r\n" +
            `Content-Transfer-Encoding: base64\r\n\r\n${Buffer.alloc(30000).toString("base64").replace(/.{76}/g, "$&\r\n")}\r\n--b--\r\n`,
    );
}

async function deliver(subject) {
    const transport = nodemailer.createTransport({ host: "127.0.0.1", port: ports.smtp, ignoreTLS: true });
    await transport.sendMail({ from: "joe@else.example", to: ann.address, subject, text: "x" });
    transport.close();
}

async function connects(one) {
    await one.connect();
    check("imapflow connects by TLS 1.3 and asks who we are", one.serverInfo?.name === "Pillarbox", one.serverInfo);
    check("DEFLATE is on", told(one, "c", /^c \w+ COMPRESS DEFLATE$/) && told(one, "s", /^s \w+ OK DEFLATE/) && one._inflate, one.said);
    check("QRESYNC is on", one.enabled.has("QRESYNC"), [...one.enabled]);
    check(`IMAP4rev2 is ${rev1 ? "off" : "on"}`, one.enabled.has("IMAP4REV2") !== rev1, [...one.enabled]);
    const wrong = client({ auth: { user: ann.address, pass: "abcd-efgh-jkmn-pqrs" } });
    const error = await failure(() => wrong.connect());
    check("a wrong password", error.authenticationFailed && error.serverResponseCode === "AUTHENTICATIONFAILED", error.response);
    wrong.close();
    const clear = client({ port: ports.imap, secure: false });
    await clear.connect();
    check("STARTTLS", clear.secureConnection && told(clear, "c", /STARTTLS/));
    await clear.logout();
}

async function mailboxes(one) {
    const roles = (await one.list()).map((row) => row.specialUse).filter(Boolean).sort();
    check("the mailboxes have their roles", `${roles}` === "\\Archive,\\Drafts,\\Inbox,\\Junk,\\Sent,\\Trash", roles);
    const made = await one.mailboxCreate(["Pl\u00e4ne", "\u53f0\u5317 & mehr"]);
    check("a mailbox is made", made.created && made.path === "Pl\u00e4ne/\u53f0\u5317 & mehr" && made.mailboxId, made);
    const again = await one.mailboxCreate(made.path);
    check("and not twice", again.created === false, again);
    check("it is subscribed", await one.mailboxSubscribe(made.path));
    const renamed = await one.mailboxRename(made.path, "Pl\u00e4ne/alt");
    check("renamed", renamed.newPath === "Pl\u00e4ne/alt", renamed);
    await one.append("Pl\u00e4ne/alt", message("status"), ["\\Seen"], new Date(1e12));
    const status = await one.status("Pl\u00e4ne/alt", { messages: true, uidNext: true, unseen: true, highestModseq: true, size: true, deleted: true });
    check("STATUS", status.messages === 1 && status.uidNext === 2 && status.unseen === 0 && status.highestModseq > 0n
        && status.size === message("status").length && status.deleted === 0, status);
    const listed = await one.list({ statusQuery: { messages: true } });
    check("LIST with STATUS", listed.find((row) => row.path === "Pl\u00e4ne/alt")?.status?.messages === 1, listed.map((row) => [row.path, row.status]));
    const quota = await one.getQuota("INBOX");
    check("QUOTA", quota.storage?.limit === 64 << 20 && quota.storage.usage > 0, quota);
    await one.mailboxDelete("Pl\u00e4ne/alt");
    check("and gone", !(await one.list()).some((row) => row.path.includes("alt")));
    const error = await failure(() => one.mailboxDelete("Pl\u00e4ne/alt"));
    check("what is not there cannot go", error.serverResponseCode === "NONEXISTENT", error.response);
}

async function messages(one) {
    await one.mailboxCreate("Flow");
    for (const number of [1, 2, 3, 4, 5, 6]) {
        const put = await one.append("Flow", message(`flow${number}`), number === 1 ? ["\\Seen", "$Forwarded"] : [], new Date(1e12 + number * 1000));
        if (number === 6) {
            check("APPEND tells the UID", put.uid === 6 && put.uidValidity > 0n, put);
        }
    }
    const opened = await one.mailboxOpen("Flow");
    check("the mailbox opens", opened.exists === 6 && opened.uidNext === 7 && opened.highestModseq > 0n && opened.permanentFlags.has("\\*"), opened);
    const [first] = await one.fetchAll("1", { envelope: true, bodyStructure: true, flags: true, size: true, internalDate: true, headers: ["message-id"] });
    check("ENVELOPE", first.envelope.subject === "flow1 \u00fc" && first.envelope.from[0].name === "J\u00f6rg", first.envelope);
    const parts = first.bodyStructure.childNodes.map((part) => [part.part, part.type, part.dispositionParameters?.filename ?? ""].join(" "));
    check("BODYSTRUCTURE", `${parts}` === "1 text/plain ,2 application/octet-stream zeros.bin", parts);
    check("flags, size and date", kept(first.flags) === "$Forwarded \\Seen" && first.size === message("flow1").length
        && first.internalDate.getTime() === 1e12 + 1000, first);
    check("the header that was asked for", `${first.headers}` === "Message-ID: <flow1@else.example>\r\n\r\n", `${first.headers}`);
    const whole = await one.fetchOne("2", { source: true });
    check("a whole message", whole.source.equals(message("flow2")));
    const { meta, content } = await one.download("3", "2", { uid: true });
    check("a part is downloaded", meta.filename === "zeros.bin" && (await buffer(content)).equals(Buffer.alloc(30000)), meta);
    const text = await one.download("3", "1", { uid: true });
    check("and a text in UTF-8", `${await buffer(text.content)}`.trim() === "Gr\u00fc\u00dfe");

    check("SEARCH by subject", `${await one.search({ subject: "flow4 \u00fc" }, { uid: true })}` === "4");
    check("by what several say", `${await one.search({ or: [{ seen: true }, { header: { "message-id": "flow5" } }], since: new Date(9e11) }, { uid: true })}` === "1,5");
    const counted = await one.search({ unKeyword: "$Forwarded" }, { uid: true, returnOptions: ["COUNT", "MIN", "MAX", "ALL"] });
    check("ESEARCH", counted.count === 5 && counted.min === 2 && counted.max === 6 && counted.all === "2:6", counted);
    check("by MODSEQ", `${await one.search({ modseq: first.modseq + 1n }, { uid: true })}` === "2,3,4,5,6");

    check("flags are set", await one.messageFlagsAdd("2:3", ["\\Flagged", "$Work"], { uid: true }));
    check("and taken", await one.messageFlagsRemove("3", ["$Work"], { uid: true }));
    const { flags } = await one.fetchOne("3", { flags: true }, { uid: true });
    check("as it says", kept(flags) === "\\Flagged", [...flags]);
    await one.messageFlagsAdd("1", ["$Late"], { uid: true, unchangedSince: 1n });
    check("not over what has changed since", !(await one.fetchOne("1", { flags: true }, { uid: true })).flags.has("$Late"));
    const copied = await one.messageCopy("1:2", "Archive", { uid: true });
    check("COPY tells the UIDs", copied.uidMap.get(2) - copied.uidMap.get(1) === 1, [...copied.uidMap]);
    const gone = heard(one, "expunge", (event) => event.uid === 4);
    const moved = await one.messageMove("4", "Archive", { uid: true });
    check("MOVE tells the UIDs", moved.uidMap.get(4) - copied.uidMap.get(2) === 1, [...moved.uidMap]);
    check("by VANISHED here", (await gone).vanished === true, await gone);
    const deleted = heard(one, "expunge");
    check("a message is deleted", (await one.messageDelete("5", { uid: true })) && (await deleted).uid === 5, await deleted);
}

async function idles(one, other) {
    await one.mailboxOpen("INBOX");
    const idle = one.idle();
    const exists = heard(one, "exists");
    await deliver("while-idle");
    check("IDLE hears of a delivery", (await exists).count === 1, await exists);
    const { uidNext } = await other.mailboxOpen("INBOX");
    const uid = uidNext - 1;
    const flags = heard(one, "flags");
    await other.messageFlagsAdd("1", ["\\Answered"]);
    const event = await flags;
    check("of flags, with UID and MODSEQ", event.uid === uid && event.modseq > 0n && event.flags?.has("\\Answered"), event);
    const expunge = heard(one, "expunge");
    await other.messageDelete("1");
    check("and of an expunge, by UID", (await expunge).vanished === true && (await expunge).uid === uid, await expunge);
    check("in one IDLE", one.said.filter((line) => /^c \w+ IDLE$/.test(line)).length === 1);
    await one.noop();
    await idle;
    await other.mailboxClose();
}

async function returns(before, other) {
    await before.mailboxOpen("Flow");
    const { uidValidity, highestModseq } = before.mailbox;
    await before.logout();
    await other.mailboxOpen("Flow");
    await other.messageFlagsAdd("3", ["\\Seen"], { uid: true });
    await other.messageDelete("2", { uid: true });
    await other.append("Flow", message("flow7"));
    await other.logout();

    const one = client({ qresync: true });
    const changed = [];
    one.on("flags", (event) => changed.push(`${event.uid} ${kept(event.flags)}`));
    one.on("expunge", (event) => changed.push(`${event.uid} ${event.vanished && event.earlier ? "earlier" : "now"}`));
    await one.connect();
    const opened = await one.mailboxOpen("Flow", { uidValidity, changedSince: highestModseq });
    check("it comes back with QRESYNC", opened.qresync === true && told(one, "c", /SELECT Flow \(QRESYNC \(\d+ \d+\)\)$/), one.said);
    check("and learns what happened", `${changed.sort()}` === "2 earlier,3 \\Flagged \\Seen,7 ", changed);
    changed.length = 0;
    const news = await one.fetchAll("1:*", { flags: true }, { uid: true, changedSince: highestModseq });
    check("CHANGEDSINCE tells the same", `${news.map((row) => row.uid)}` === "3,7" && `${changed}` === "2 earlier", [news, changed]);
    await one.logout();
}

const one = client({ qresync: true });
const other = client({ disableCompression: true, disableIMAP4rev2: !rev1 });
await connects(one);
await other.connect();
await mailboxes(one);
await messages(one);
await idles(one, other);
await returns(one, other);
