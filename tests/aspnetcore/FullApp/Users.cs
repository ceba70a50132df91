using System.Linq;
using System.Security.Claims;
using System.Threading.Tasks;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.IIS;
using Microsoft.Extensions.DependencyInjection;

namespace FullApp
{
    internal static class Users
    {
        /// <summary>Who the user is to the request, to the scheme, and to the server's variables.</summary>
        public static async Task Report(HttpContext context)
        {
            var schemes = context.RequestServices.GetRequiredService<IAuthenticationSchemeProvider>();
            var known = await schemes.GetSchemeAsync(IISServerDefaults.AuthenticationScheme) != null;
            var ticket = known ? await context.AuthenticateAsync(IISServerDefaults.AuthenticationScheme) : null;
            await context.Response.WriteJson(new
            {
                authenticated = context.User.Identity.IsAuthenticated,
                name = context.User.Identity.Name,
                kind = context.User.Identity.AuthenticationType,
                roles = context.User.FindAll(ClaimTypes.Role).Select(role => role.Value).ToArray(),
                scheme = known,
                ticket = ticket?.Principal?.Identity.Name,
                variable = context.GetServerVariable("AUTH_USER"),
                authorization = context.Request.Headers["Authorization"].Count,
            });
        }
    }
}
