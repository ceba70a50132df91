using System.Threading.Tasks;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Http;

namespace Ancm.Hosting.Server
{
    /// <summary>
    /// The scheme by which apps ask for the user whom IIS authenticated. Here the front did, and its challenge goes
    /// out with every 401.
    /// </summary>
    internal sealed class WindowsAuthenticationHandler : IAuthenticationHandler
    {
        /// <summary>ANCM: <c>IISServerDefaults.AuthenticationScheme</c>.</summary>
        public const string Scheme = "Windows";

        private HttpContext? _context;

        public Task InitializeAsync(AuthenticationScheme scheme, HttpContext context)
        {
            _context = context;
            return Task.CompletedTask;
        }

        public Task<AuthenticateResult> AuthenticateAsync()
        {
            var user = _context?.Features.Get<RequestContext>()?.WindowsUser;
            return Task.FromResult(user == null
                ? AuthenticateResult.NoResult()
                : AuthenticateResult.Success(new AuthenticationTicket(user, Scheme)));
        }

        public Task ChallengeAsync(AuthenticationProperties properties) => Answer(StatusCodes.Status401Unauthorized);

        public Task ForbidAsync(AuthenticationProperties properties) => Answer(StatusCodes.Status403Forbidden);

        private Task Answer(int status)
        {
            if (_context != null)
            {
                _context.Response.StatusCode = status;
            }
            return Task.CompletedTask;
        }
    }
}
