// Sends the message on standard input:
// node nodemailer_send.js PORT ENVELOPE [TLS CA [AUTH]]
// TLS: starttls or implicit; CA: a file. Without them, in clear. AUTH: user, pass and
// method as JSON.
"use strict";

const { readFileSync } = require("fs");
const nodemailer = require("nodemailer");

const [port, envelope, tls, ca, login] = process.argv.slice(2);
const secured = {
	host: "localhost",
	secure: tls === "implicit",
	requireTLS: true,
	tls: { ca: tls && readFileSync(ca) },
};
const clear = { host: "127.0.0.1", secure: false, ignoreTLS: true };
const loggedIn = ({ method, ...auth }) => ({ auth, authMethod: method });
const transport = nodemailer.createTransport({
	port: Number(port),
	...(tls ? secured : clear),
	...(login ? loggedIn(JSON.parse(login)) : {}),
});

transport
	.sendMail({ envelope: JSON.parse(envelope), raw: readFileSync(0) })
	.catch((error) => {
		console.error(error);
		process.exitCode = 1;
	});
