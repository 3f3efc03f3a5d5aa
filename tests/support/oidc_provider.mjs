// A foreign issuer for tests: the npm package oidc-provider, with client credentials and groups in its access tokens.
// Run in a folder with that package: node oidc_provider.mjs PORT
import { Provider } from 'oidc-provider';

const port = Number(process.argv[2]);
const issuer = `http://127.0.0.1:${port}`;
const audience = 'api://clearance-decisions';
const provider = new Provider(issuer, {
  clients: [
    { client_id: 'desk', client_secret: 'desk-secret', grant_types: ['client_credentials'], redirect_uris: [], response_types: [] },
    { client_id: 'stranger', client_secret: 'stranger-secret', grant_types: ['client_credentials'], redirect_uris: [], response_types: [] },
  ],
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => audience,
      useGrantedResource: () => true,
      getResourceServerInfo: () => ({ scope: 'decide', audience, accessTokenTTL: 600, accessTokenFormat: 'jwt', jwt: { sign: { alg: 'RS256' } } }),
    },
  },
  extraTokenClaims: (_ctx, token) => ({ sub: token.clientId, groups: token.clientId === 'desk' ? ['loan-officers'] : [] }),
});
provider.listen(port, '127.0.0.1', () => console.log('listening'));
