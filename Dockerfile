# syntax=docker/dockerfile:1

# Dependencies apart from the code, so that a change of the code does not install them again.
FROM node:24.21.0-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --no-audit --no-fund && npm cache clean --force

FROM node:24.21.0-slim
# A container listens to the outside of itself; who reaches it is said where its port is published.
ENV NODE_ENV=production DESKBRIDGE_HOST=0.0.0.0
WORKDIR /app
COPY --from=dependencies /app/node_modules ./node_modules
COPY package.json LICENSE ./
COPY src ./src
COPY connectors ./connectors
COPY config ./config
# The embedded PostgreSQL keeps its data here; with DATABASE_URL set the volume stays empty.
RUN mkdir /data .cache && chown node:node /data .cache
USER node
# Leaves in .cache what makes every start quicker.
RUN ["node", "src/main.ts", "--version"]
VOLUME /data
EXPOSE 8787
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:8787/healthz').then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "src/main.ts"]
CMD ["up", "--port", "8787", "--data", "/data"]
