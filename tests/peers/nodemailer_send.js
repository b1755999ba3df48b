// Sends the message on standard input: node nodemailer_send.js PORT ENVELOPE [TLS CA]
// TLS: starttls or implicit; CA: a file. Without them, in clear.
"use strict";

const { readFileSync } = require("fs");
const nodemailer = require("nodemailer");

const [port, envelope, tls, ca] = process.argv.slice(2);
const secured = {
	host: "localhost",
	secure: tls === "implicit",
	requireTLS: true,
	tls: { ca: tls && readFileSync(ca) },
};
const clear = { host: "127.0.0.1", secure: false, ignoreTLS: true };
const transport = nodemailer.createTransport({
	port: Number(port),
	...(tls ? secured : clear),
});

transport
	.sendMail({ envelope: JSON.parse(envelope), raw: readFileSync(0) })
	.catch((error) => {
		console.error(error);
		process.exitCode = 1;
	});
