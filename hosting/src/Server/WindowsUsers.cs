using System;
using System.Security.Claims;
using System.Text;
using Ancm.Hosting.Abi;

namespace Ancm.Hosting.Server
{
    /// <summary>
    /// The user whom the front authenticated as one whom an app understands. IIS gives a <c>WindowsPrincipal</c>,
    /// which there is none of outside of Windows; groups are roles, as Kestrel's own Negotiate handler has them.
    /// </summary>
    internal static class WindowsUsers
    {
        public static ClaimsPrincipal Read(in NativeUser user)
        {
            var identity = new ClaimsIdentity(Text(user.AuthenticationType));
            identity.AddClaim(new Claim(ClaimTypes.Name, Text(user.Name)));
            foreach (ref readonly var group in user.Groups)
            {
                identity.AddClaim(new Claim(ClaimTypes.Role, Text(group)));
            }
            return new ClaimsPrincipal(identity);
        }

        private static string Text(in Slice slice) => Encoding.UTF8.GetString(slice.Span);
    }
}
